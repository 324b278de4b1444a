"""Words of other programs and papers, and what this program calls that: looked at before the nearest word.

Each has what it may mean, the likeliest first: a flag, a setting, a choice, or a command. Only what is known where the word was
used counts. Lower case, with - in place of _. A member of a family has its synonyms with it.
"""

_OF: dict[str, str] = {
    # settings
    "l2": "alpha lambda lam reg regularization regularisation regularizer ridge penalty weight-decay l2-penalty l2-reg wd",
    "step": "lr learning-rate eta eta0 stepsize step-size rate gamma learningrate",
    "rounds": "max-iter maxiter max-iters max-iterations epochs epoch n-iter niter num-iter iterations iteration iters iter steps "
    "max-rounds num-rounds max-epochs nit",
    "tol": "tolerance eps epsilon rtol gtol ftol atol threshold stop",
    "max-seconds": "timeout time-limit timelimit time walltime max-time maxtime seconds limit duration",
    "batch": "batch-size batchsize mini-batch minibatch mini-batch-size minibatch-size",
    "schedule": "lr-schedule learning-rate-schedule scheduler lr-scheduler decay",
    "momentum": "beta beta1 mu",
    "intercept": "bias constant fit-intercept const",
    "standardize": "normalize normalise standardise scale centre center standardization whiten",
    "x": "features inputs predictors points samples xs",
    "y": "target targets label labels response responses outputs ys",
    "weights": "sample-weight sample-weights case-weights row-weights weight-col weight-column",
    "offset": "base-margin offset-col offset-column base-score exposure",
    "class-weight": "class-weights balanced scale-pos-weight",
    "penalty-factors": "penalty-factor p1 p2",
    "groups": "group group-lasso",
    "lower": "lower-limits lower-bounds lower-bound min non-negative nonnegative positive",
    "upper": "upper-limits upper-bounds upper-bound max",
    "init": "warm-start coef-init start start-params initial-weights init-model",
    "solver": "optimizer optimiser method opt",
    "algorithm": "algo collective allreduce-algorithm coll",
    "mode": "topology architecture arch strategy",
    "out": "output outdir out-dir output-dir o save save-to dest model dir folder bundle",
    "checkpoint": "ckpt snapshot save-state",
    "every": "interval period checkpoint-every save-every freq frequency",
    "resume": "restart continue restore load from warm-start",
    "quiet": "silent q no-progress",
    "config": "settings conf cfg toml options",
    "patience": "hang-timeout heartbeat",
    "trace": "timeline profile perfetto",
    "sums": "summation reduction reproducible",
    "replicas": "copies redundancy",
    "balance": "rebalance load-balance steal",
    "ranks": "np n nproc nprocs processes procs workers cores p",
    "workers": "ranks nproc np n",
    "repeats": "repetitions reps runs trials turns k",
    "rows": "n n-samples nrows num-rows samples",
    "condition": "cond condition-number kappa",
    "noise": "sigma std",
    "seed": "random-state random-seed rng",
    "loss": "objective family criterion cost distribution objective-function",
    "tweedie-power": "power variance-power tweedie-variance-power p",
    "theta": "dispersion size shape overdispersion",
    "huber-delta": "delta huber-alpha huber-epsilon huber-slope",
    # choices
    "squared": "mse ols least-squares squared-error l2-loss gaussian normal linear",
    "logistic": "binomial bernoulli logit log-loss logloss binary bce binary-crossentropy",
    "softmax": "multinomial multiclass categorical cross-entropy crossentropy categorical-crossentropy multilogistic",
    "poisson": "count counts quasipoisson",
    "inverse-gaussian": "ig invgauss wald",
    "tweedie": "compound-poisson",
    "negative-binomial": "nb nb2 negbin neg-binomial negbinomial",
    "huber": "robust smooth-l1 pseudo-huber",
    "squared-hinge": "hinge svm svc linear-svc l2-svm",
    "nesterov": "accelerated agd fista apg nag",
    "gd": "gradient-descent batch-gd vanilla steepest-descent",
    "sgd": "stochastic stochastic-gradient stochastic-gradient-descent asgd mini-batch-gd",
    "order-free": "reproducible exact reproducible-sums",
    "drop": "kill remove skip",
    # commands
    "fit": "train learn run solve regress regression start optimize optimise descend",
    "compare": "bench benchmark race versus modes",
    "scaling": "speedup speed-up strong weak scalability efficiency",
    "network": "ping latency bandwidth net pingpong ping-pong osu",
    "study": "straggler stragglers solvers",
    "doctor": "check diagnose health diagnostics verify env checkup",
    "report": "plot plots html view show visualize visualise figures",
    "slurm": "sbatch submit srun batch job salloc",
    "data": "info inspect describe generate make synth synthetic dataset datasets",
}
SYNONYMS: dict[str, tuple[str, ...]] = {}
for _name, _words in _OF.items():
    for _word in _words.split():
        SYNONYMS[_word] = (*SYNONYMS.get(_word, ()), _name)
