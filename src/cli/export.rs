//! `tributary export`: what the list shows, on standard output or in a file.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use futures_util::TryStreamExt;
use url::form_urlencoded;

use super::{UNUSABLE, settings, start_logging};
use crate::export::{Export, Format, Interrupted};
use crate::item::WorkspaceId;
use crate::providers::Providers;
use crate::server;
use crate::settings::{Settings, Variables};
use crate::store::{self, Location, Store};
use crate::web::items_export::{Asked, Prepared, note, prepare};

#[derive(Args)]
pub struct ExportArgs {
    /// csv, ndjson or json
    #[arg(long)]
    format: Format,
    /// The file to write; it appears when it is whole. Without it: standard output
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// Whose items, by id or name, where there are several
    #[arg(long)]
    workspace: Option<String>,
    /// Of this provider only
    #[arg(long)]
    provider: Option<String>,
    /// Of the connection with this id only
    #[arg(long)]
    connection: Option<String>,
    /// Of this type only
    #[arg(long = "type")]
    kind: Option<String>,
    /// With these words in the name
    #[arg(long, allow_hyphen_values = true)]
    q: Option<String>,
    /// What stands in the item with this id
    #[arg(long, allow_hyphen_values = true)]
    parent: Option<String>,
    /// The container of that item, where its id stands in several
    #[arg(long = "in", allow_hyphen_values = true)]
    container: Option<String>,
    /// Modified at this date or time or later
    #[arg(long, alias = "modified_since")]
    modified_since: Option<String>,
    /// With what its provider has no more
    #[arg(long, num_args = 0..=1, default_missing_value = "1")]
    gone: Option<String>,
    /// name, created or modified, with - in front for descending
    #[arg(long, allow_hyphen_values = true)]
    sort: Option<String>,
}

impl ExportArgs {
    /// The list's parameters, as an address has them.
    fn query(&self) -> String {
        let given = [
            ("provider", &self.provider),
            ("connection", &self.connection),
            ("type", &self.kind),
            ("q", &self.q),
            ("parent", &self.parent),
            ("in", &self.container),
            ("modified_since", &self.modified_since),
            ("gone", &self.gone),
            ("sort", &self.sort),
        ];
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in given {
            query.extend_pairs(value.as_ref().map(|value| (name, value)));
        }
        query.finish()
    }
}

#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error("DATABASE_URL: there is no {0}")]
    NoDatabase(String),
    #[error("there is nothing to export: nobody has signed in here yet")]
    NoWorkspace,
    #[error("--workspace: {0}; name one of these by its id:\n{1}")]
    Which(&'static str, String),
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("the export was broken off: {0}")]
    Interrupted(#[from] Interrupted),
    #[error("it could not be written: {0}")]
    Output(#[from] io::Error),
}

impl ExportError {
    fn code(&self) -> ExitCode {
        match self {
            Self::Which(..) | Self::Refused(_) => ExitCode::from(UNUSABLE),
            _ => ExitCode::FAILURE,
        }
    }

    /// Whether whoever read it has simply stopped, as `head` does.
    fn is_read_no_more(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

pub async fn run(args: ExportArgs) -> ExitCode {
    let settings = match settings(Variables::from_environment()) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    start_logging(&settings);
    match export(&settings, &args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is_read_no_more() {
                eprintln!("{error}");
            }
            error.code()
        }
    }
}

async fn export(settings: &Settings, args: &ExportArgs) -> Result<(), ExportError> {
    // A look must not make what it looks for.
    if let Location::Sqlite(path) = &settings.database
        && !path.exists()
    {
        return Err(ExportError::NoDatabase(server::place(&settings.database)));
    }
    let store = Arc::new(Store::open(&settings.database).await?);
    let written = export_from(&store, settings, args).await;
    store.close().await;
    written
}

async fn export_from(
    store: &Arc<Store>,
    settings: &Settings,
    args: &ExportArgs,
) -> Result<(), ExportError> {
    let asked = Asked {
        workspace: workspace(store, args.workspace.as_deref()).await?,
        user: None,
    };
    let providers = Providers::new(settings.known, Vec::new());
    let refused = |error: crate::web::WebError| ExportError::Refused(error.to_string());
    let prepared = prepare(store, &providers, asked, &args.query(), args.format).await;
    let Prepared { export, name } = prepared.map_err(refused)?;
    note(store, asked, &name).await.map_err(refused)?;
    match &args.output {
        Some(path) => to_file(export, path).await,
        None => write(export, &mut io::stdout().lock()).await,
    }
}

/// The one that is named, or the only one there is.
async fn workspace(store: &Store, named: Option<&str>) -> Result<WorkspaceId, ExportError> {
    let all = store.workspaces().await?;
    // Members choose the name, so it may be the id of another one.
    if let Some(it) = all
        .iter()
        .find(|it| Some(it.id.to_string().as_str()) == named)
    {
        return Ok(it.id);
    }
    let fitting: Vec<WorkspaceId> = all
        .iter()
        .filter(|it| named.is_none_or(|named| it.name == named))
        .map(|it| it.id)
        .collect();
    let which = |why| {
        let lines: Vec<String> = all
            .iter()
            .map(|it| format!("  {}  {}", it.id, it.name))
            .collect();
        ExportError::Which(why, lines.join("\n"))
    };
    match (fitting.as_slice(), named) {
        ([one], _) => Ok(*one),
        (_, _) if all.is_empty() => Err(ExportError::NoWorkspace),
        ([], _) => Err(which("there is none of that id or name")),
        (_, None) => Err(which("there are several")),
        (_, Some(_)) => Err(which("several have that name")),
    }
}

/// Into a file that appears whole or not at all; into anything else, such as a device, as it comes.
async fn to_file(export: Export, path: &Path) -> Result<(), ExportError> {
    if path.exists() && !path.is_file() {
        let mut output = std::fs::File::options().write(true).open(path)?;
        return write(export, &mut output).await;
    }
    // Behind a link, not in its place.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    write(export, &mut file).await?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

async fn write(export: Export, output: &mut impl Write) -> Result<(), ExportError> {
    let terminal = io::stderr().is_terminal() && !io::stdout().is_terminal();
    let mut bytes = 0;
    let mut chunks = Box::pin(export.chunks());
    while let Some(chunk) = chunks.try_next().await? {
        output.write_all(&chunk)?;
        bytes += chunk.len();
        if terminal {
            eprint!("\r{} kB", bytes / 1_000);
        }
    }
    if terminal {
        eprintln!();
    }
    Ok(output.flush()?)
}
