import optuna
import optunahub

problem = optunahub.load_module(package="benchmarks/patternbench").Problem(seed=0)
module = optunahub.load_module(package="samplers/embedded_agent")
sampler = module.EmbeddedAgentSampler(problem.search_space, seed=0)
study = optuna.create_study(directions=problem.directions, sampler=sampler)
study.optimize(problem, n_trials=50)
print(problem.regret(study.best_params))
