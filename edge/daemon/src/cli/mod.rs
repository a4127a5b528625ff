//! The command line: what there is to say to `offhook`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::{Arg, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

mod flow;

pub use flow::FlowCommand;

/// The phone appliance for offices that live with Amazon Chime SDK and Amazon Connect.
#[derive(Debug, Parser)]
#[command(name = "offhook", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// What the program was called with; ends it with clap's words where that cannot be understood.
    pub fn read() -> Self {
        let mut command = without_empty(Self::command());
        let mut matches = command.get_matches_mut();
        Self::from_arg_matches_mut(&mut matches)
            .unwrap_or_else(|error| error.format(&mut command).exit())
    }
}

/// A variable of the environment that is set but empty counts as not set: a unit file
/// or a container's description cannot always take one away.
fn without_empty(command: clap::Command) -> clap::Command {
    let is_empty =
        |arg: &Arg| arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    let command =
        command.mut_args(|arg| if is_empty(&arg) { arg.env(Resettable::Reset) } else { arg });
    command.mut_subcommands(without_empty)
}

/// Which appliance a command speaks of.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Configuration file; /etc/offhook/offhook.toml where that is there, else embedded defaults.
    #[arg(long, short, env = "OFFHOOK_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder for the database, secrets and voicemail; overrides `[server] data_dir`.
    #[arg(long, env = "OFFHOOK_DATA", value_name = "FOLDER")]
    pub data: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs the appliance until SIGTERM; SIGHUP reloads the configuration.
    Serve(Place),
    /// Starts on embedded defaults in FOLDER, proves itself with two real calls, then serves.
    Run {
        /// Folder for the database, secrets and voicemail.
        #[arg(long, default_value = "offhook-data", value_name = "FOLDER")]
        data: PathBuf,
        /// Address to listen on for phones and trunks.
        #[arg(long, default_value = "127.0.0.1:5060")]
        listen: std::net::SocketAddr,
    },
    /// Plays the main job on a throw-away folder; exits 0 only if every step really happened.
    Demo,
    /// Checks a configuration file and prints every problem with its line and column.
    Check {
        /// The file; /etc/offhook/offhook.toml when none is named.
        #[arg(env = "OFFHOOK_CONFIG")]
        file: Option<PathBuf>,
    },
    /// Lets the running appliance read its configuration again and says what changed.
    ///
    /// What waits for a restart is marked so. A file with a mistake is refused whole.
    Reload(Place),
    /// Looks at the whole chain to Amazon Chime SDK and says what is wrong and how to mend it.
    ///
    /// Nothing is changed. Fails when it finds a problem.
    Doctor {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// This machine from outside.
        #[command(flatten)]
        outside: OutsideArgs,
        /// JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// The Voice Connectors of the configuration, at AWS.
    #[command(subcommand)]
    Chime(ChimeCommand),
    /// Desk phones.
    #[command(subcommand)]
    Phone(PhoneCommand),
    /// What the running appliance is doing.
    Status {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Call records and timelines.
    #[command(subcommand)]
    Calls(CallsCommand),
    /// Rings a phone, and calls a number when it is answered.
    ///
    /// Where `[cloud] from_number` is set, AWS calls the number first, and then the phone.
    Dial {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// Extension number of the phone; its rights count.
        extension: String,
        /// As the phone would dial it.
        number: String,
    },
    /// Recorded calls, and recording a call or not.
    #[command(subcommand)]
    Recordings(RecordingsCommand),
    /// Workflows: checking, publishing, trying and looking at them.
    #[command(subcommand)]
    Flow(FlowCommand),
    /// Addresses that are banned for a while.
    #[command(subcommand)]
    Bans(BansCommand),
    /// Access keys of programs that begin and direct calls.
    #[command(subcommand)]
    ApiKey(ApiKeyCommand),
}

/// How this machine looks from outside.
#[derive(Debug, Clone, Args)]
pub struct OutsideArgs {
    /// Its public address, where neither the configuration nor `--check-ip` tells it rightly.
    #[arg(long, value_name = "ADDRESS")]
    pub public_address: Option<IpAddr>,
    /// A service that answers with the address that it is asked from, in plain text.
    #[arg(long, value_name = "URL", default_value = offhook_chime::outside::CHECK_IP)]
    pub check_ip: String,
}

/// `offhook chime …`
#[derive(Debug, Subcommand)]
pub enum ChimeCommand {
    /// Shows what the connectors lack so that calls come in and go out, and makes it when confirmed.
    Setup {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// This machine from outside.
        #[command(flatten)]
        outside: OutsideArgs,
        /// Only the connector of this trunk.
        #[arg(long, value_name = "NAME")]
        trunk: Option<String>,
        /// A country that may be called (ISO 3166-1, two letters); may be given several times.
        #[arg(long, value_name = "CC")]
        country: Vec<String>,
        /// Takes routes to other machines away.
        #[arg(long)]
        only: bool,
        /// Does not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Gives the connectors back what `setup` changed.
    Undo {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// Even what somebody changed since.
        #[arg(long)]
        force: bool,
        /// Does not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// `offhook phone …`
#[derive(Debug, Subcommand)]
pub enum PhoneCommand {
    /// Adds a phone (or gives an existing one a new password) and prints what to type into it.
    Add {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// Extension number, also the phone's user name.
        number: String,
        /// Name shown to others.
        #[arg(long)]
        name: Option<String>,
        /// Password instead of a generated one: `-` reads it from standard input.
        #[arg(long, value_name = "-")]
        password: Option<String>,
        /// PIN for voicemail from other phones, 4 to 10 digits: `-` reads it from standard input.
        #[arg(long, value_name = "-")]
        pin: Option<String>,
        /// No voicemail for this phone.
        #[arg(long)]
        no_voicemail: bool,
    },
    /// Lists phones and where they are registered.
    List {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Removes a phone; its registrations end at once.
    Remove {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// Extension number.
        number: String,
    },
    /// Turns do-not-disturb on or off.
    Dnd {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// Extension number.
        number: String,
        /// on or off.
        #[arg(value_parser = ["on", "off"])]
        state: String,
    },
    /// Reads a new voicemail PIN from standard input, 4 to 10 digits.
    Pin {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// Extension number.
        number: String,
    },
    /// Gives the mailbox a greeting of its own, or the standard one again.
    Greeting {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// Extension number.
        number: String,
        /// WAV, MP3, FLAC or Ogg; without it the standard greeting.
        file: Option<PathBuf>,
    },
}

/// `offhook calls …`
#[derive(Debug, Subcommand)]
pub enum CallsCommand {
    /// The newest calls.
    List {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// How many.
        #[arg(long, short = 'n', default_value_t = 20)]
        limit: usize,
        /// Only those of this contact of Amazon Connect, by its first id or its last.
        #[arg(long, value_name = "ID")]
        contact: Option<String>,
        /// Only the one of this transaction of a SIP media application.
        #[arg(long, value_name = "ID")]
        transaction: Option<String>,
        /// JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Ends a call that is going on.
    Hangup {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// Call id, or as much of its beginning as is unique; `offhook status` names them.
        id: String,
    },
    /// One call: its ladder, and in words why it failed and what to do.
    Show {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// Call id, or as much of its beginning as is unique.
        id: String,
        /// JSON instead of text.
        #[arg(long)]
        json: bool,
    },
}

/// `offhook recordings …`
#[derive(Debug, Subcommand)]
pub enum RecordingsCommand {
    /// The newest recordings and where they are.
    List {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// How many.
        #[arg(long, short = 'n', default_value_t = 20)]
        limit: usize,
        /// JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Records a call that is going on, whatever the configuration says.
    Start {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// Call id, or as much of its beginning as is unique.
        call: String,
    },
    /// Ends the recording of a call; the call goes on.
    Stop {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// Call id, or as much of its beginning as is unique.
        call: String,
    },
    /// Records silence until `resume`: a card's number is being said.
    Pause {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// Call id, or as much of its beginning as is unique.
        call: String,
    },
    /// Records again what is said.
    Resume {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// Call id, or as much of its beginning as is unique.
        call: String,
    },
}

/// `offhook api-key …`
#[derive(Debug, Subcommand)]
pub enum ApiKeyCommand {
    /// Makes an access key and shows its secret, this once.
    Add {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// What it is for.
        #[arg(long)]
        name: Option<String>,
    },
    /// Lists access keys, without their secrets.
    List {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Removes an access key; what it signs is refused at once.
    Remove {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// Its id.
        id: String,
    },
}

/// `offhook bans …`
#[derive(Debug, Subcommand)]
pub enum BansCommand {
    /// Lists bans.
    List {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Lifts a ban.
    Lift {
        /// Which appliance.
        #[command(flatten)]
        place: Place,
        /// The banned address.
        address: IpAddr,
    },
}
