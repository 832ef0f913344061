//! What a threshold gives: counts, rates, and what is made of both.
//!
//! A rate without anything to be a share of is not defined: NaN.

use crate::evaluate::metric::{Kind, Metric, Table, Task};
use crate::evaluate::metrics::classes;
use crate::evaluate::sweep::Confusion;

/// Keras's `BinaryAccuracy`.
pub(crate) const BINARY_ACCURACY: Metric = Metric {
    name: "BinaryAccuracy",
    aliases: &[],
    key: "binary_accuracy",
    doc: "Share of examples on the right side of the threshold.",
    kinds: &[(Task::Binary, Kind::Confusion(|c| (c.tp + c.tn) / (c.tp + c.fp + c.tn + c.fn_)))],
    parameters: &["thresholds"],
};

/// Keras's `Precision`.
pub(crate) const PRECISION: Metric = Metric {
    name: "Precision",
    aliases: &[],
    key: "precision",
    doc: "Share of what is predicted positive that is: TP / (TP + FP).",
    kinds: &[
        (Task::Binary, Kind::Confusion(|c| c.tp / (c.tp + c.fp))),
        (Task::Multiclass, Kind::Classes(classes::precision)),
    ],
    parameters: &["thresholds", "average", "class"],
};

/// Keras's `Recall`.
pub(crate) const RECALL: Metric = Metric {
    name: "Recall",
    aliases: &["TPR", "Sensitivity"],
    key: "recall",
    doc: "Share of what is positive that is predicted so: TP / (TP + FN).",
    kinds: &[
        (Task::Binary, Kind::Confusion(recall)),
        (Task::Multiclass, Kind::Classes(classes::recall)),
    ],
    parameters: &["thresholds", "average", "class"],
};

/// TFMA's `Specificity`.
pub(crate) const SPECIFICITY: Metric = Metric {
    name: "Specificity",
    aliases: &["TNR"],
    key: "specificity",
    doc: "Share of what is negative that is predicted so: TN / (TN + FP).",
    kinds: &[(Task::Binary, Kind::Confusion(specificity))],
    parameters: &["thresholds"],
};

/// TFMA's `F1Score`.
pub(crate) const F1_SCORE: Metric = Metric {
    name: "F1Score",
    aliases: &[],
    key: "f1_score",
    doc: "Harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN).",
    kinds: &[
        (Task::Binary, Kind::Confusion(|c| 2.0 * c.tp / (2.0 * c.tp + c.fp + c.fn_))),
        (Task::Multiclass, Kind::Classes(classes::f1_score)),
    ],
    parameters: &["thresholds", "average", "class"],
};

/// TFMA's `BalancedAccuracy`.
pub(crate) const BALANCED_ACCURACY: Metric = Metric {
    name: "BalancedAccuracy",
    aliases: &[],
    key: "balanced_accuracy",
    doc: "Mean of the recalls of the classes.",
    kinds: &[
        (Task::Binary, Kind::Confusion(|c| f64::midpoint(recall(c), specificity(c)))),
        (Task::Multiclass, Kind::Classes(classes::balanced_accuracy)),
    ],
    parameters: &["thresholds"],
};

/// TFMA's `MatthewsCorrelationCoefficient`.
pub(crate) const MATTHEWS_CORRELATION_COEFFICIENT: Metric = Metric {
    name: "MatthewsCorrelationCoefficient",
    aliases: &["MCC"],
    key: "matthews_correlation_coefficient",
    doc: "Correlation of labels and predicted classes.",
    kinds: &[
        (Task::Binary, Kind::Confusion(matthews)),
        (Task::Multiclass, Kind::Classes(classes::matthews)),
    ],
    parameters: &["thresholds"],
};

/// TFMA's `ConfusionMatrixAtThresholds`.
pub(crate) const CONFUSION_MATRIX_AT_THRESHOLDS: Metric = Metric {
    name: "ConfusionMatrixAtThresholds",
    aliases: &[],
    key: "confusion_matrix_at_thresholds",
    doc: "True and false positives and negatives at each threshold, with precision and recall.",
    kinds: &[(Task::Binary, Kind::Confusions(table))],
    parameters: &["thresholds"],
};

fn recall(c: &Confusion) -> f64 {
    c.tp / (c.tp + c.fn_)
}

fn specificity(c: &Confusion) -> f64 {
    c.tn / (c.tn + c.fp)
}

fn matthews(c: &Confusion) -> f64 {
    // Root by root: the product of four weights may be too large for a float.
    let roots = [c.tp + c.fp, c.tp + c.fn_, c.tn + c.fp, c.tn + c.fn_].map(f64::sqrt);
    (c.tp * c.tn - c.fp * c.fn_) / (roots[0] * roots[1] * roots[2] * roots[3])
}

fn table(confusions: &[Confusion]) -> Table {
    let columns = [
        "threshold",
        "true_positives",
        "false_positives",
        "true_negatives",
        "false_negatives",
        "precision",
        "recall",
    ];
    let mut table = Table::new(&columns);
    for c in confusions {
        table.push([c.threshold, c.tp, c.fp, c.tn, c.fn_, c.tp / (c.tp + c.fp), recall(c)]);
    }
    table
}
