//! The default prompts in English, part of the program so that an appliance always has a voice.
//!
//! They are spoken by espeak-ng when a text changes (`prompts/make.sh`), never at run time. An operator
//! replaces one by a file of the same name in the prompt directory; that is not this module's work.

use std::sync::{Arc, OnceLock};

use crate::clip::{Clip, decode_bytes};

/// Variant, file in `prompts/voice` without `.wav`, words: as in `prompts/prompts.txt`.
macro_rules! prompts {
    ($($variant:ident => $file:literal, $text:literal;)*) => {
        /// A prompt that is part of the program.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Prompt {
            $(#[doc = concat!("“", $text, "”")] $variant,)*
        }

        impl Prompt {
            /// Every prompt.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The file's name without `.wav`; also the name an operator's own file has.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $file,)*
                }
            }

            /// The words that are spoken.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            const fn file(self) -> &'static [u8] {
                match self {
                    $(Self::$variant => include_bytes!(concat!("prompts/voice/", $file, ".wav")),)*
                }
            }
        }
    };
}

prompts! {
    VmGreeting => "vm-greeting", "The person you are calling is not available. Please leave a message after the tone.";
    VmGreetingBusy => "vm-greeting-busy", "The person you are calling is on another call. Please leave a message after the tone.";
    VmSaved => "vm-saved", "Thank you. Your message has been saved.";
    VmTooShort => "vm-too-short", "Your message was too short.";
    VmFull => "vm-full", "This mailbox is full.";
    VmEnterMailbox => "vm-enter-mailbox", "Please enter your mailbox number, followed by the hash key.";
    VmEnterPin => "vm-enter-pin", "Please enter your PIN, followed by the hash key.";
    VmWrongPin => "vm-wrong-pin", "That PIN is not correct.";
    VmYouHave => "vm-you-have", "You have";
    VmNoMessages => "vm-no-messages", "You have no messages.";
    VmNoMore => "vm-no-more", "There are no more messages.";
    VmNewMessage => "vm-new-message", "new message.";
    VmNewMessages => "vm-new-messages", "new messages.";
    VmOldMessage => "vm-old-message", "old message.";
    VmOldMessages => "vm-old-messages", "old messages.";
    VmAnd => "vm-and", "and";
    VmMessage => "vm-message", "Message";
    VmReceived => "vm-received", "received";
    VmFrom => "vm-from", "from";
    VmUnknownCaller => "vm-unknown-caller", "an unknown caller";
    VmMessageMenu => "vm-message-menu", "To listen again, press 1. To save the message, press 2. To delete it, press 3. For the next message, press the hash key.";
    VmDeleted => "vm-deleted", "Message deleted.";
    VmKept => "vm-kept", "Message saved.";
    Goodbye => "goodbye", "Goodbye.";
    Error => "error", "Sorry, an error occurred. Please try again later.";
    Invalid => "invalid", "That is not a valid choice.";
    NotInService => "not-in-service", "The number you have dialled is not in service. Please check the number and dial again.";
    AllLinesBusy => "all-lines-busy", "All lines are busy now. Please try again later.";
    NotAllowed => "not-allowed", "You are not allowed to call this number.";
    NoAnswer => "no-answer", "There is no answer. Please try again later.";
    Busy => "busy", "The number you have dialled is busy.";
    PleaseHold => "please-hold", "Please hold. Your call is being connected.";
    Transferring => "transferring", "Please wait while I transfer your call.";
    Press => "press", "press";
    ToRecord => "to-record", "To record, press";
    Hash => "hash", "hash";
    Star => "star", "star";
    Plus => "plus", "plus";
    Minute => "minute", "minute";
    Minutes => "minutes", "minutes";
    Second => "second", "second";
    Seconds => "seconds", "seconds";
    Today => "today", "today";
    Yesterday => "yesterday", "yesterday";
    At => "at", "at";
    Am => "am", "A M";
    Pm => "pm", "P M";
    Zero => "0", "zero";
    One => "1", "one";
    Two => "2", "two";
    Three => "3", "three";
    Four => "4", "four";
    Five => "5", "five";
    Six => "6", "six";
    Seven => "7", "seven";
    Eight => "8", "eight";
    Nine => "9", "nine";
    Ten => "10", "ten";
    Eleven => "11", "eleven";
    Twelve => "12", "twelve";
    Thirteen => "13", "thirteen";
    Fourteen => "14", "fourteen";
    Fifteen => "15", "fifteen";
    Sixteen => "16", "sixteen";
    Seventeen => "17", "seventeen";
    Eighteen => "18", "eighteen";
    Nineteen => "19", "nineteen";
    Twenty => "20", "twenty";
    Thirty => "30", "thirty";
    Forty => "40", "forty";
    Fifty => "50", "fifty";
    Sixty => "60", "sixty";
    Seventy => "70", "seventy";
    Eighty => "80", "eighty";
    Ninety => "90", "ninety";
    Hundred => "100", "hundred";
    Thousand => "1000", "thousand";
}

static CLIPS: [OnceLock<Arc<Clip>>; Prompt::ALL.len()] =
    [const { OnceLock::new() }; Prompt::ALL.len()];

/// The prompt's audio, decoded at the first call (about a millisecond).
#[must_use]
pub fn get(prompt: Prompt) -> Arc<Clip> {
    // A test decodes every file, so the empty clip is never heard.
    let load = || Arc::new(decode_bytes(prompt.name(), prompt.file()).unwrap_or_default());
    match CLIPS.get(prompt as usize) {
        Some(cell) => Arc::clone(cell.get_or_init(load)),
        None => load(),
    }
}

/// The prompt of this name.
#[must_use]
pub fn named(name: &str) -> Option<Prompt> {
    Prompt::ALL.iter().copied().find(|prompt| prompt.name() == name)
}

/// A number as it is said: `342` is three, hundred, forty, two. From a million on, digit by digit.
#[must_use]
pub fn number(n: u32) -> Vec<Arc<Clip>> {
    number_prompts(n).into_iter().map(get).collect()
}

/// Digit by digit, as telephone numbers are read: `0`-`9`, `*`, `#`, `+`; other characters are passed
/// over, and so is what follows the 64th.
#[must_use]
pub fn digits(text: &str) -> Vec<Arc<Clip>> {
    text.chars().filter_map(digit).take(64).map(get).collect()
}

fn digit(c: char) -> Option<Prompt> {
    match c {
        '*' => Some(Prompt::Star),
        '#' => Some(Prompt::Hash),
        '+' => Some(Prompt::Plus),
        _ => c.to_digit(10).and_then(|_| named(c.encode_utf8(&mut [0; 4]))),
    }
}

/// The words of a number.
#[must_use]
pub fn number_prompts(n: u32) -> Vec<Prompt> {
    match n {
        // What has a word of its own.
        0..=20 | 30 | 40 | 50 | 60 | 70 | 80 | 90 => named(&n.to_string()).into_iter().collect(),
        21..=99 => [number_prompts(n / 10 * 10), number_prompts(n % 10)].concat(),
        100..=999 => with_rest(n, 100, Prompt::Hundred),
        1000..=999_999 => with_rest(n, 1000, Prompt::Thousand),
        _ => n.to_string().chars().filter_map(digit).collect(),
    }
}

fn with_rest(n: u32, unit: u32, word: Prompt) -> Vec<Prompt> {
    let mut words = number_prompts(n / unit);
    words.push(word);
    if !n.is_multiple_of(unit) {
        words.extend(number_prompts(n % unit));
    }
    words
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_prompt_has_audible_audio_of_sensible_length() {
        let mut bytes = 0;
        for prompt in Prompt::ALL {
            let clip = get(*prompt);
            let name = prompt.name();
            assert!(clip.duration() > Duration::from_millis(200), "{name}");
            assert!(clip.duration() < Duration::from_secs(12), "{name}");
            let peak = clip.samples().iter().map(|s| s.unsigned_abs()).max().unwrap();
            assert!(peak > 8000, "{name} is too quiet: {peak}");
            bytes += prompt.file().len();
        }
        assert!(bytes < 1_000_000, "{bytes} bytes of prompts");
    }

    #[test]
    fn the_table_and_the_texts_that_were_spoken_are_the_same() {
        let spoken: HashSet<(&str, &str)> = include_str!("prompts/prompts.txt")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once('|'))
            .collect();
        let known: HashSet<(&str, &str)> =
            Prompt::ALL.iter().map(|prompt| (prompt.name(), prompt.text())).collect();
        assert_eq!(spoken, known);
        assert_eq!(known.len(), Prompt::ALL.len());
    }

    #[test]
    fn numbers_are_said_as_people_say_them() {
        let said = |n| {
            let words: Vec<&str> = number_prompts(n).iter().map(|prompt| prompt.text()).collect();
            words.join(" ")
        };
        for (n, words) in [
            (0, "zero"),
            (13, "thirteen"),
            (20, "twenty"),
            (21, "twenty one"),
            (99, "ninety nine"),
            (100, "one hundred"),
            (342, "three hundred forty two"),
            (1000, "one thousand"),
            (2024, "two thousand twenty four"),
            (120_015, "one hundred twenty thousand fifteen"),
            (1_000_001, "one zero zero zero zero zero one"),
        ] {
            assert_eq!(said(n), words);
        }
        assert_eq!(number(342).len(), 4);
    }

    #[test]
    fn a_telephone_number_is_read_digit_by_digit() {
        assert_eq!(digits("+1 (703) 555-0122*#").len(), 14);
        assert_eq!(digits(&"7".repeat(1000)).len(), 64);
        assert!(digits("x").is_empty());
    }

    #[test]
    fn a_prompt_is_decoded_once() {
        assert!(Arc::ptr_eq(&get(Prompt::VmGreeting), &get(Prompt::VmGreeting)));
        assert_eq!(named("vm-greeting"), Some(Prompt::VmGreeting));
        assert_eq!(named("nothing"), None);
    }
}
