//! What is measured, in which unit, and whether it is good enough.

/// A measured quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// CPU seconds of all threads per 10⁹ bytes of input.
    CpuPerGigabyte,
    /// 10⁶ bytes of input per second of wall time, start and end of the process included.
    Throughput,
    /// CPU seconds of all threads per 10⁶ events.
    CpuPerMillion,
    /// 10³ events per second of wall time, the start of the process included.
    EventRate,
    /// CPU seconds with transforms and routes, by those of the same input without.
    CpuRatio,
    /// Per cent of one core, over the steady phase.
    CpuShare,
    /// Highest resident memory in MiB.
    PeakMemory,
    /// Seconds from the start of the process to the first new line in the sink.
    FirstLine,
    /// Seconds from the start of the process to the first record as a document in the sink.
    FirstRecord,
    /// Messages that the kernel dropped, as the daemon tells.
    LostMessages,
}

/// What a figure must reach, and what we want it to reach.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) figure: Figure,
    pub(crate) must: f64,
    pub(crate) aim: Option<f64>,
}

/// The figures of one run, or the medians of several.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measurement {
    figures: Vec<(Figure, f64)>,
}

impl Figure {
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::CpuPerGigabyte => "cpu-s/GB",
            Self::Throughput => "MB/s",
            Self::CpuPerMillion => "cpu-s/million events",
            Self::EventRate => "thousand events/s",
            Self::CpuRatio => "× the CPU",
            Self::CpuShare => "% of a core",
            Self::PeakMemory => "MiB",
            Self::FirstLine => "s to the first line",
            Self::FirstRecord => "s to the first record",
            Self::LostMessages => "messages lost",
        }
    }

    /// Whether `value` is at least as good as `bound`.
    pub(crate) fn reaches(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Throughput | Self::EventRate => value >= bound,
            _ => value <= bound,
        }
    }
}

impl Measurement {
    pub(crate) fn new(figures: Vec<(Figure, f64)>) -> Self {
        Self { figures }
    }

    pub(crate) fn figures(&self) -> &[(Figure, f64)] {
        &self.figures
    }

    /// The median of each figure; `runs` measured the same case and are not empty.
    pub(crate) fn median(runs: &[Self]) -> Self {
        let figures = runs.first().map(Self::figures).unwrap_or_default();
        let medians = figures.iter().enumerate().map(|(place, &(figure, _))| {
            let mut values: Vec<f64> = runs.iter().map(|run| run.figures[place].1).collect();
            values.sort_by(f64::total_cmp);
            (figure, values[values.len() / 2])
        });
        Self::new(medians.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_taken_figure_by_figure() {
        let run =
            |cpu, rate| Measurement::new(vec![(Figure::CpuPerGigabyte, cpu), (Figure::Throughput, rate)]);
        let median = Measurement::median(&[run(3.0, 1.0), run(1.0, 9.0), run(2.0, 5.0)]);
        assert_eq!(median.figures(), [(Figure::CpuPerGigabyte, 2.0), (Figure::Throughput, 5.0)]);
    }

    #[test]
    fn more_throughput_is_better_and_less_of_everything_else() {
        assert!(Figure::Throughput.reaches(300.0, 250.0) && !Figure::Throughput.reaches(200.0, 250.0));
        assert!(Figure::EventRate.reaches(300.0, 300.0) && !Figure::EventRate.reaches(299.0, 300.0));
        assert!(Figure::PeakMemory.reaches(30.0, 48.0) && !Figure::PeakMemory.reaches(60.0, 48.0));
    }
}
