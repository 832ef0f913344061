//! Where boxes are: in layers, from what is fed in to what comes out, with few crossings.
//!
//! The method is Sugiyama's: a layer for each box, points on long edges in the layers between,
//! and several sweeps that order each layer by the middle of its neighbours.

use super::picture::{Kind, Picture};

/// Sweeps over all layers.
const SWEEPS: usize = 12;

/// Layers and, within each, an order.
pub(super) struct Layout {
    /// For each layer its points in order: boxes first by number, then points of edges.
    pub(super) layers: Vec<Vec<usize>>,
    /// For each edge the points it goes through, its ends included.
    pub(super) paths: Vec<Vec<usize>>,
}

impl Layout {
    pub(super) fn new(picture: &Picture) -> Self {
        let layer_of = layers(picture);
        let n_layers = layer_of.iter().max().map_or(0, |last| last + 1);
        let mut layers: Vec<Vec<usize>> = vec![Vec::new(); n_layers];
        layer_of.iter().enumerate().for_each(|(shape, &layer)| layers[layer].push(shape));
        let mut n = picture.shapes.len();
        let mut paths = Vec::new();
        for &(from, to) in &picture.edges {
            let mut path = vec![from];
            for layer in layers.iter_mut().take(layer_of[to]).skip(layer_of[from] + 1) {
                layer.push(n);
                path.push(n);
                n += 1;
            }
            path.push(to);
            paths.push(path);
        }
        let mut before: Vec<Vec<usize>> = vec![Vec::new(); n];
        let mut after: Vec<Vec<usize>> = vec![Vec::new(); n];
        for pair in paths.iter().flat_map(|path| path.windows(2)) {
            before[pair[1]].push(pair[0]);
            after[pair[0]].push(pair[1]);
        }
        let mut place = vec![0.0f64; n];
        let note = |layer: &[usize], place: &mut [f64]| {
            layer.iter().enumerate().for_each(|(i, &point)| place[point] = i as f64);
        };
        layers.iter().for_each(|layer| note(layer, &mut place));
        for sweep in 0..SWEEPS {
            let forwards = sweep % 2 == 0;
            for i in 0..n_layers {
                let layer = if forwards { i } else { n_layers - 1 - i };
                let neighbours = if forwards { &before } else { &after };
                let middle = |point: usize| {
                    let all = &neighbours[point];
                    if all.is_empty() {
                        return place[point];
                    }
                    all.iter().map(|&other| place[other]).sum::<f64>() / all.len() as f64
                };
                let mut keyed: Vec<(f64, usize)> =
                    layers[layer].iter().map(|&point| (middle(point), point)).collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                layers[layer] = keyed.into_iter().map(|(_, point)| point).collect();
                note(&layers[layer], &mut place);
            }
        }
        Layout { layers, paths }
    }
}

/// The layer of each box: after all that feed it; analyzers just before what they feed, outputs last.
fn layers(picture: &Picture) -> Vec<usize> {
    let mut layer = vec![0usize; picture.shapes.len()];
    // Edges go forwards, so one pass in the order of their ends is enough.
    let mut edges = picture.edges.clone();
    edges.sort_unstable_by_key(|&(from, to)| (to, from));
    edges.iter().for_each(|&(from, to)| layer[to] = layer[to].max(layer[from] + 1));
    let last = layer.iter().copied().max().unwrap_or(0);
    for (number, shape) in picture.shapes.iter().enumerate() {
        let feeds = picture.edges.iter().filter(|(from, _)| *from == number);
        match shape.kind {
            Kind::Output => layer[number] = last,
            Kind::Analyzer | Kind::Input => {
                let first = feeds.map(|&(_, to)| layer[to]).min().unwrap_or(1);
                if shape.kind == Kind::Analyzer {
                    layer[number] = first.saturating_sub(1);
                }
            }
            Kind::Call => {}
        }
    }
    layer
}

#[cfg(test)]
mod tests {
    use super::super::picture::Shape;
    use super::*;

    #[test]
    fn long_edges_go_through_every_layer() {
        let shape =
            |kind| Shape { kind, title: String::new(), lines: Vec::new(), tip: String::new() };
        let kinds = [Kind::Input, Kind::Call, Kind::Call, Kind::Analyzer, Kind::Output];
        let picture = Picture {
            shapes: kinds.map(shape).to_vec(),
            edges: vec![(0, 1), (1, 2), (0, 2), (3, 2), (2, 4)],
        };
        let layout = Layout::new(&picture);
        assert_eq!(layout.layers.len(), 4);
        assert_eq!(layout.paths[2].len(), 3);
        assert!(layout.layers[1].contains(&3), "an analyzer stands before what it feeds");
        assert_eq!(layout.layers[3], [4]);
        let mut all: Vec<usize> = layout.layers.concat();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4, 5]);
    }
}
