//! A model's folder, checked before the library reads it (which aborts on some damage), and staged with our own settings.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::process;

use sha2::{Digest, Sha256};

/// Beside the model: one line a file, as `sha256sum` writes them. Ours has it; those of others are only looked at.
const SUMS: &str = "SHA256SUMS";
/// First bytes of every OpenFst file.
const FST_MAGIC: [u8; 4] = [0xd6, 0xfd, 0xb2, 0x7e];
/// First bytes of a binary Kaldi model.
const KALDI_MAGIC: [u8; 2] = [0, b'B'];
/// Seconds no utterance lasts: libvosk's endpointer never decides, core does, by silence and meaning.
const NEVER_S: u32 = 100_000;
/// Seconds after which libvosk ends a segment in the middle of speech. Its lattice grows with the segment, and so does its longest call.
const SEGMENT_S: u32 = 30;
/// Frames (10 ms) that the network works on at once. libvosk's own 20 show a word up to 200 ms later; with 6 it is 90 ms less in the
/// median, for half as much processor time again (0.05 of a core while somebody speaks).
const CHUNK_FRAMES: u32 = 6;
/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;
/// Tries to find a name for the staged folder that nobody has taken.
const STAGE_TRIES: u32 = 64;

/// A folder like the model's, but for `conf/model.conf`. It goes when the value does: by then the library holds all it needs.
#[derive(Debug)]
pub struct StagedModel {
    folder: PathBuf,
}

impl StagedModel {
    /// Checks the model in `folder` and stages it; the error says what to do.
    pub fn new(folder: &Path) -> Result<Self, String> {
        let model = folder
            .canonicalize()
            .map_err(|e| format!("no model at {}: {e}; give the folder of a Vosk model", folder.display()))?;
        check(&model).map_err(|problem| {
            format!("the model in {} is damaged: {problem}; put it there again", folder.display())
        })?;
        stage(&model).map_err(|e| format!("no room for a temporary copy of the model's settings: {e}"))
    }

    /// Where the library shall look.
    pub fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for StagedModel {
    fn drop(&mut self) {
        if let Err(e) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} is left over: {e}", self.folder.display());
        }
    }
}

fn stage(model: &Path) -> io::Result<StagedModel> {
    let base = std::env::temp_dir();
    let mut made = Err(io::Error::other("no free name"));
    for n in 0..STAGE_TRIES {
        let folder = base.join(format!("jarvis-ear-{}-{n}", process::id()));
        // A name that exists may be anybody's in a shared folder; only one that we made is used.
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            other => {
                made = other.map(|()| StagedModel { folder });
                break;
            }
        }
    }
    let staged = made?;
    for entry in fs::read_dir(model)? {
        let entry = entry?;
        if entry.file_name() != "conf" {
            symlink(entry.path(), staged.folder.join(entry.file_name()))?;
        }
    }
    let conf = model.join("conf");
    if conf.is_dir() {
        let ours = staged.folder.join("conf");
        fs::create_dir(&ours)?;
        for entry in fs::read_dir(&conf)? {
            let entry = entry?;
            if entry.file_name() != "model.conf" {
                symlink(entry.path(), ours.join(entry.file_name()))?;
            }
        }
        fs::write(ours.join("model.conf"), as_we_use_it(&fs::read_to_string(conf.join("model.conf"))?))?;
    }
    Ok(staged)
}

/// Kaldi takes the last of several lines for one option.
fn as_we_use_it(conf: &str) -> String {
    let mut text: String =
        conf.lines().filter(|l| !l.trim_start().starts_with("--endpoint.rule")).map(|l| format!("{l}\n")).collect();
    for rule in 1..=4 {
        // Infallible for a String.
        let _ = writeln!(text, "--endpoint.rule{rule}.min-trailing-silence={NEVER_S}");
    }
    let _ = writeln!(text, "--endpoint.rule5.min-utterance-length={SEGMENT_S}");
    let _ = writeln!(text, "--frames-per-chunk={CHUNK_FRAMES}");
    text
}

fn check(model: &Path) -> Result<(), String> {
    let sums = model.join(SUMS);
    if sums.is_file() {
        return check_sums(model, &fs::read_to_string(&sums).map_err(|e| format!("{SUMS}: {e}"))?);
    }
    // Folders as Vosk publishes them, and its older flat ones, whose endpoint times can't be set: their segments are joined anyway.
    if model.join("am").exists() || model.join("graph").exists() {
        starts_with(&model.join("am/final.mdl"), &KALDI_MAGIC)?;
        starts_with(&model.join("conf/mfcc.conf"), b"")?;
        starts_with(&model.join("conf/model.conf"), b"")?;
        check_graph(&model.join("graph"))?;
    } else {
        starts_with(&model.join("final.mdl"), &KALDI_MAGIC)?;
        starts_with(&model.join("mfcc.conf"), b"")?;
        check_graph(model)?;
    }
    let ivector = model.join("ivector");
    if ivector.is_dir() {
        for name in ["final.ie", "final.dubm", "final.mat", "global_cmvn.stats", "online_cmvn.conf", "splice.conf"] {
            starts_with(&ivector.join(name), b"")?;
        }
    }
    Ok(())
}

fn check_graph(graph: &Path) -> Result<(), String> {
    if graph.join("HCLG.fst").exists() {
        return starts_with(&graph.join("HCLG.fst"), &FST_MAGIC);
    }
    starts_with(&graph.join("HCLr.fst"), &FST_MAGIC)?;
    starts_with(&graph.join("Gr.fst"), &FST_MAGIC)
}

fn starts_with(path: &Path, magic: &[u8]) -> Result<(), String> {
    let mut start = vec![0; magic.len().max(1)];
    match File::open(path).and_then(|mut f| f.read_exact(&mut start)) {
        Ok(()) if start.starts_with(magic) => Ok(()),
        Ok(()) => Err(format!("{} is not what its name says", path.display())),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(format!("{} is empty or cut off", path.display())),
        Err(e) => Err(format!("{}: {e}", path.display())),
    }
}

fn check_sums(model: &Path, sums: &str) -> Result<(), String> {
    for line in sums.lines().filter(|l| !l.trim().is_empty()) {
        let (wanted, name) = line.split_once("  ").ok_or_else(|| format!("{SUMS} has a line without a name"))?;
        let mut file = File::open(model.join(name)).map_err(|e| format!("{name}: {e}"))?;
        let mut digest = Sha256::new();
        let mut piece = vec![0; READ_BYTES];
        loop {
            match file.read(&mut piece).map_err(|e| format!("{name}: {e}"))? {
                0 => break,
                n => digest.update(&piece[..n]),
            }
        }
        let found: String = digest.finalize().iter().map(|b| format!("{b:02x}")).collect();
        if found != wanted {
            return Err(format!("{name} is not the file it was (SHA-256)"));
        }
    }
    Ok(())
}
