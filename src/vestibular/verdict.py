"""What the choice rests on, as `metrics/selection.json` says it.

A score is `{"value", "low", "high"}`: the mean and its 95 % interval. A difference is
`{"value", "low", "high", "p_value"}`, the one named first less the other, on the same questions.
Both stand under `exact_match` and `f1`. The file holds:

    promoted            whether a model has been put into production
    reason              one sentence: why this one, or why none
    reasons             all of it, a list of sentences
    winner              the promoted candidate, or null
    runner_up           the best of the others by score, or null
    leader              the best by score of those that may win, or null
    below               reference points of `select.must_beat` that the winner is not above;
                        never empty but for `select.allow_below_reference`
    rule                the settings under `select`
    questions           {"basis": "validation" or "out_of_fold", "count", "documents",
                        "effective_documents", "folds"}
    method              {"level", "resamples", "seed", "power"}
    smallest_detectable {"level": 0.05 divided by the comparisons that decide (Holm's first step),
                        "exact_match": {"questions", "difference"}: so many questions, all one
                        way, are the fewest that McNemar's test calls a difference,
                        "f1": {"difference"} or null: what is detected with the probability
                        `method.power`, from the spread between leader and runner-up}
    candidates          by name, in the order of their rank:
        rank            place by score: `select.metric`, then `select.tie_breakers`
        status          "winner"; "tied": not significantly worse than the leader; "worse";
                        "dominated": another one scores no less and costs no more;
                        "below_reference"; "constraint"; "outranked": by the plain sort
        why             one sentence
        scores, before  scores after and before fine-tuning (before: the untouched base)
        gain            differences: after less before
        against_leader  null for the leader, else {"exact_match": a difference with `p_holm`,
                        `only_this` and `only_leader` (questions that one alone has right),
                        "f1": a difference with `p_holm`}; of the candidate less the leader.
                        `p_value` is McNemar's for exact match, the paired bootstrap's for F1;
                        the intervals are the bootstrap's. `p_holm` is corrected for all that
                        are still in the running and this one
        against         by reference point: differences of the candidate less the point
        below           reference points of `select.must_beat` that it is not above
        constraints     by key: {"limit", "measured", "met"}
        cost            {"flops_per_answer", "seconds_per_answer", "model_bytes",
                        "peak_memory_bytes", "latency_p95_seconds", "answers_per_second",
                        "trainable_parameters", "total_parameters"}
        pareto          whether no other scores more at no higher cost, or as much at lower
        seeds           null, or {"values": {seed: {"exact_match", "f1"}}, and for each metric
                        "exact_match"/"f1": {"mean", "low", "high", "standard_deviation"}};
                        low and high are the least and the most of the seeds
    reference_points    by name ("empty_answer", "whole_context", "overlap_sentence",
                        "annotators" where some question has several references; a candidate's
                        untouched base stands with it): {"questions", "scores"}

Nothing here imports torch.
"""
