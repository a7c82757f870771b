//! What a scenario says about costs, and where its parts are.

use std::io::Read as _;
use std::path::Path;

use models::ids::Endpoint;
use sim_core::prices::{Price, Pricing};

use super::{Check, Section, names_of};
use crate::Source;
use crate::decode::Sp;
use crate::diagnostics::Diagnostic;
use crate::prices;
use crate::raw::cost::Monthly;

/// Where nothing is said.
const REGION: &str = "us-east-1";
/// Most bytes of a price file.
const LONGEST: u64 = 4 << 20;

impl Check<'_> {
    pub(super) fn cost(&mut self, base_dir: Option<&Path>) -> Pricing {
        let doc = self.doc;
        let given = doc.cost.region.as_ref().or(doc.network.region.as_ref());
        if let Some(code) = &doc.cost.region {
            self.region(code);
        }
        let prices = match &doc.cost.prices {
            Some(file) => self.price_file(file, base_dir),
            None => prices::built_in().to_vec(),
        };
        let parts = Section::ALL
            .into_iter()
            .flat_map(|section| (0..names_of(doc, section).len()).map(move |index| section.endpoint(index, doc)));
        let parts: Vec<Endpoint> = parts.collect();
        let regions = parts.into_iter().filter_map(|part| {
            let region = self.region_of(part)?;
            Some((self.name_of(part), region.code.to_owned()))
        });
        Pricing {
            prices,
            region: given.map_or(REGION, |code| code.as_str()).to_owned(),
            region_given: given.is_some(),
            regions: regions.collect(),
            monthly: match doc.cost.monthly.value {
                Monthly::WholeDays => None,
                Monthly::Always => Some(true),
                Monthly::Never => Some(false),
            },
        }
    }

    /// Reads a file of prices; what is wrong with it is told with its line.
    fn price_file(&mut self, file: &Sp<String>, base_dir: Option<&Path>) -> Vec<Price> {
        if !self.readable {
            return Vec::new();
        }
        let path = self.path_of(file, base_dir);
        let mut text = String::new();
        let read = std::fs::File::open(&path).and_then(|it| it.take(LONGEST).read_to_string(&mut text));
        if let Err(error) = read {
            self.error(file.span, format!("price file {} cannot be read: {error}", file.value), "a file of prices");
            return Vec::new();
        }
        let source = Source { name: file.value.clone(), text };
        prices::with(&source).unwrap_or_else(|wrong| {
            for mistake in wrong.iter() {
                let (line, column) = wrong.line_and_column(mistake);
                let title = format!("{}:{line}:{column}: {}", file.value, mistake.title());
                let error = Diagnostic::error(file.span, title, "in this price file");
                self.note(mistake.help_texts().iter().fold(error, |error, help| error.help(help.as_str())));
            }
            Vec::new()
        })
    }
}
