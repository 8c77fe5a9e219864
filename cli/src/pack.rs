//! `dram pack`: a model's file with its weights in tiles.

use crate::args;
use crate::exit::{Code, Failure, Outcome, notice};
use dram_models::Destination;

pub(crate) fn run(args: &args::Pack) -> Outcome {
    let input = dram_models::find(&args.input)?;
    let output = Destination::new(&args.output)?;
    if output.is(&input) {
        let message = "input and output are the same file; name another output";
        return Err(Failure::new(Code::Usage, message).about(args.output.display()));
    }
    let draft = output.draft(&mut notice)?;
    draft.reserve(dram_engine::packed_bytes(&input)?)?;
    dram_engine::pack(&input, draft.file(), output.path())?;
    draft.finish()?;
    eprintln!("{} is written", args.output.display());
    Ok(())
}
