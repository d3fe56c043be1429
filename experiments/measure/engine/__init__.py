"""What measurements of the training engine share: trainings with a clock, a baseline."""
