import optuna
import optunahub

problem = optunahub.load_module(package="benchmarks/patternbench").Problem(seed=0)
study = optuna.create_study(directions=problem.directions)
study.optimize(problem, n_trials=100)
print(problem.regret(study.best_params))
