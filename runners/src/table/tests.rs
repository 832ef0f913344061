//! Whole tables of small statistics.

use super::*;

/// Statistics with one feature of each kind.
fn statistics() -> DatasetFeatureStatisticsList {
    ops::tfmd::load_statistics(
        br#"
datasets {
  name: "All Examples"
  num_examples: 1000
  features {
    path { step: "fare" }
    type: FLOAT
    num_stats {
      common_stats { num_non_missing: 900 num_missing: 100 min_num_values: 1 max_num_values: 1
                     avg_num_values: 1 tot_num_values: 900 }
      mean: 11.768 std_dev: 11.54 num_zeros: 27 min: -1 median: 7.85 max: 700.07
      histograms { num_nan: 9 buckets { low_value: -1 high_value: 350 sample_count: 880 }
                   buckets { low_value: 350 high_value: 700.07 sample_count: 11 } type: STANDARD }
      histograms { buckets { low_value: -1 high_value: 7 sample_count: 450 }
                   buckets { low_value: 7 high_value: 700.07 sample_count: 450 } type: QUANTILES }
    }
  }
  features {
    path { step: "stops" step: "area" }
    type: INT
    num_stats {
      common_stats { num_non_missing: 1000 min_num_values: 0 max_num_values: 8
                     avg_num_values: 2.5 tot_num_values: 2500 }
      mean: 8 num_zeros: 2500
    }
  }
  features {
    path { step: "payment" }
    type: STRING
    string_stats {
      common_stats { num_non_missing: 1000 min_num_values: 1 max_num_values: 1
                     avg_num_values: 1 tot_num_values: 1000 }
      unique: 3 avg_length: 5.5
      top_values { value: "Cash" frequency: 660 }
      top_values { value: "a\033[31m" frequency: 339 }
      rank_histogram { buckets { label: "Cash" sample_count: 660 }
                       buckets { label: "a" sample_count: 339 } buckets { label: "b" sample_count: 1 } }
    }
  }
  features {
    path { step: "image" }
    type: BYTES
    bytes_stats { common_stats { num_non_missing: 10 num_missing: 990 min_num_values: 1
                  max_num_values: 1 avg_num_values: 1 tot_num_values: 10 }
                  unique: 10 avg_num_bytes: 1000 min_num_bytes: 900 max_num_bytes: 1100 }
  }
}
datasets { name: "payment_Cash" num_examples: 1 weighted_num_examples: 2.5
  cross_features { path_x { step: "a" } path_y { step: "b" } count: 5
                   num_cross_stats { correlation: 0.5 covariance: 12 } } }
"#,
    )
    .unwrap()
}

fn table(options: &TableOptions) -> String {
    render(&statistics(), options)
}

#[test]
fn a_wide_table_shows_everything() {
    let expected = "\
All Examples · 1,000 examples

feature     type   count  missing     values  zeros   mean  ± std  min  10%  median    90%    max  histogram   NaN
fare        float    900    10.0%              3.0%  11.77  11.54   -1  0.6    7.85  561.5  700.1  █▁         1.0%
stops.area  int    1,000       0%  0–8 ø 2.5   100%      8      0    0            0             0

feature  type    count  missing  unique  avg len  ranks  top values
payment  string  1,000       0%       3      5.5  █▅▁    Cash 66.0% · a\\u{1b}[31m 33.9% …

feature  type   count  missing  unique  min bytes  avg bytes  max bytes
image    bytes     10    99.0%      10        900      1,000      1,100

payment_Cash · 1 example · weight 2.5

feature  with  count  correlation  covariance
a        b         5          0.5          12
";
    let options = TableOptions { width: 130, ..TableOptions::default() };
    assert_eq!(table(&options), expected);
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in 24..140 {
        let options = TableOptions { width, ..TableOptions::default() };
        let text = table(&options);
        let lines = text.lines().filter(|line| !line.contains("not shown"));
        for line in lines.filter(|line| !line.contains(" · 1")) {
            assert!(format::width(line) <= width, "{width}: {line}");
        }
        assert_eq!(text.contains("not shown"), width < 114, "{width}");
    }
    let narrow = table(&TableOptions { width: 40, ..TableOptions::default() });
    assert!(narrow.contains("fare"), "{narrow}");
    assert!(narrow.contains("mean"), "{narrow}");
}

#[test]
fn colours_change_nothing_else() {
    let options = TableOptions { width: 80, color: true, ..TableOptions::default() };
    let mut text = table(&options);
    assert!(text.contains('\x1b'));
    while let Some(start) = text.find('\x1b') {
        let end = start + text[start..].find('m').unwrap();
        text.replace_range(start..=end, "");
    }
    assert_eq!(text, table(&TableOptions { color: false, ..options }));
}

#[test]
fn features_can_be_sorted() {
    let first = |sort| {
        let options = TableOptions { sort, ..TableOptions::default() };
        let text = table(&options);
        text.lines().nth(3).unwrap().split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(first(Sort::Given), "fare");
    assert_eq!(first(Sort::Missing), "fare");
    assert_eq!(first(Sort::Zeros), "stops.area");
    assert_eq!(first(Sort::Name), "fare");
}

#[test]
fn no_statistics_are_said_to_be_none() {
    let none = DatasetFeatureStatisticsList::default();
    assert_eq!(render(&none, &TableOptions::default()), "no statistics\n");
}
