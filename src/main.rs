//! temporary
fn main() {
    use wstap::capture::PacketSource;
    use wstap::sink::Output;
    let args: Vec<String> = std::env::args().collect();
    let frames = args.iter().any(|a| a == "--frames");
    let path = args.last().unwrap();
    let out = std::io::stdout();
    let sink = wstap::sink::json::JsonSink::new(out, frames);
    let limits = wstap::limits::Limits::default();
    let mut p = wstap::pipeline::Pipeline::new(sink, limits.clone());
    let mut code = 0;
    let mut trunc = None;
    match wstap::capture::open(
        &[wstap::capture::Input::Path(path.into())],
        &limits,
        &wstap::capture::Options::default(),
    ) {
        Err(e) => {
            eprintln!("{e}");
            std::process::exit(2)
        }
        Ok(mut s) => loop {
            match s.next() {
                Ok(Some(r)) => {
                    let _ = p.push(&r);
                }
                Ok(None) => break,
                Err(e) => {
                    eprintln!("{e}");
                    code = 2;
                    trunc = Some(e.to_string());
                }
            }
        },
    }
    let (mut sink, totals) = p.finish();
    let _ = sink.finish(&wstap::sink::Summary {
        totals: &totals,
        dropped: None,
        truncated: trunc.as_deref(),
    });
    std::process::exit(code);
}
