//! Metrics of several classes, from how often each is taken for each.
//!
//! A class that has no rate — never predicted, or never a label — counts as 0 in means over classes,
//! as in scikit-learn: a model gains nothing by never naming a class.

use crate::evaluate::classes::{ClassMatrix, OfClass};
use crate::evaluate::metric::{Average, Cell, Kind, Metric, Parameters, Table, Task, Value};

/// Keras's `SparseCategoricalAccuracy`, `CategoricalAccuracy`, and `Accuracy` of classes.
pub(crate) const ACCURACY: Metric = Metric {
    name: "Accuracy",
    aliases: &["SparseCategoricalAccuracy", "CategoricalAccuracy"],
    key: "accuracy",
    doc: "Share of examples whose likeliest class is their label; the first of equally likely ones.",
    kinds: &[(Task::Multiclass, Kind::Classes(accuracy))],
    parameters: &[],
};

/// Precision, recall and F1 of each class.
pub(crate) const PER_CLASS: Metric = Metric {
    name: "PerClass",
    aliases: &[],
    key: "per_class",
    doc: "Weight, precision, recall and F1 of each class.",
    kinds: &[(Task::Multiclass, Kind::Classes(per_class))],
    parameters: &[],
};

/// TFMA's `MultiClassConfusionMatrixPlot`.
pub(crate) const MULTI_CLASS_CONFUSION_MATRIX: Metric = Metric {
    name: "MultiClassConfusionMatrixPlot",
    aliases: &["MultiClassConfusionMatrix", "MultiClassConfusionMatrixAtThresholds"],
    key: "multi_class_confusion_matrix",
    doc: "Weight of every pair of label and predicted class that occurs.",
    kinds: &[(Task::Multiclass, Kind::Classes(matrix))],
    parameters: &[],
};

fn accuracy(matrix: &ClassMatrix, _: &Parameters) -> Value {
    Value::Number(matrix.correct() / matrix.total)
}

fn of_class_precision(class: &OfClass) -> f64 {
    class.correct / class.predicted
}

fn of_class_recall(class: &OfClass) -> f64 {
    class.correct / class.labelled
}

fn of_class_f1(class: &OfClass) -> f64 {
    2.0 * class.correct / (class.predicted + class.labelled)
}

pub(crate) fn precision(matrix: &ClassMatrix, parameters: &Parameters) -> Value {
    averaged(matrix, parameters, of_class_precision)
}

pub(crate) fn recall(matrix: &ClassMatrix, parameters: &Parameters) -> Value {
    averaged(matrix, parameters, of_class_recall)
}

pub(crate) fn f1_score(matrix: &ClassMatrix, parameters: &Parameters) -> Value {
    averaged(matrix, parameters, of_class_f1)
}

fn averaged(matrix: &ClassMatrix, parameters: &Parameters, rate: fn(&OfClass) -> f64) -> Value {
    if let Some(name) = &parameters.class {
        let found = matrix.classes.iter().position(|class| class == name);
        return Value::Number(found.map_or(f64::NAN, |i| rate(&matrix.of_class[i])));
    }
    let or_zero = |x: f64| if x.is_nan() { 0.0 } else { x };
    let rates = || matrix.of_class.iter().map(|class| (or_zero(rate(class)), class.labelled));
    let number = match parameters.average.unwrap_or(Average::Macro) {
        Average::Macro => rates().map(|(rate, _)| rate).sum::<f64>() / matrix.of_class.len() as f64,
        Average::Weighted => {
            rates().map(|(rate, weight)| rate * weight).sum::<f64>() / matrix.total
        }
        // What is wrong of one class is wrong of another: all three rates are the accuracy.
        Average::Micro => matrix.correct() / matrix.total,
    };
    Value::Number(number)
}

pub(crate) fn balanced_accuracy(matrix: &ClassMatrix, _: &Parameters) -> Value {
    // Of classes that are a label: what is only predicted has no recall.
    let recalls = matrix.of_class.iter().filter(|class| class.labelled > 0.0).map(of_class_recall);
    let (sum, n) = recalls.fold((0.0, 0.0), |(sum, n), recall| (sum + recall, n + 1.0));
    Value::Number(sum / n)
}

/// Gorodkin's correlation of several classes (doi:10.1016/j.compbiolchem.2004.09.006).
pub(crate) fn matthews(matrix: &ClassMatrix, _: &Parameters) -> Value {
    let sum = |f: fn(&OfClass) -> f64| matrix.of_class.iter().map(f).sum::<f64>();
    let n = matrix.total;
    let both = matrix.correct() * n - sum(|class| class.labelled * class.predicted);
    let labels = n * n - sum(|class| class.labelled * class.labelled);
    let predictions = n * n - sum(|class| class.predicted * class.predicted);
    Value::Number(both / (labels.sqrt() * predictions.sqrt()))
}

fn per_class(matrix: &ClassMatrix, _: &Parameters) -> Value {
    let mut table = Table::new(&["class", "weight", "precision", "recall", "f1_score"]);
    for (name, class) in matrix.classes.iter().zip(&matrix.of_class) {
        let rates = [of_class_precision, of_class_recall, of_class_f1].map(|rate| rate(class));
        let numbers = [class.labelled].into_iter().chain(rates).map(Cell::Number);
        table.rows.push([Cell::Text(name.clone())].into_iter().chain(numbers).collect());
    }
    Value::Table(table)
}

fn matrix(matrix: &ClassMatrix, _: &Parameters) -> Value {
    let mut table = Table::new(&["label", "predicted", "weight"]);
    for &((label, predicted), weight) in &matrix.cells {
        let name = |i: usize| Cell::Text(matrix.classes[i].clone());
        table.rows.push(vec![name(label), name(predicted), Cell::Number(weight)]);
    }
    Value::Table(table)
}
