//! Which colour means what, on white and on dark paper.
//!
//! The colours are those of Okabe and Ito, and of Tol, that differ for every kind of colour
//! blindness; neighbours differ in brightness, too. No figure tells anything by colour alone.

use finwait_model::state::TcpState;

use crate::color::Color;

/// The colours of a figure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Theme {
    /// Is the paper dark?
    pub dark: bool,
    /// The paper.
    pub paper: Color,
    /// A panel or a box on it.
    pub panel: Color,
    /// Text and axes.
    pub ink: Color,
    /// Text that matters less.
    pub faint: Color,
    /// Grid lines, and lines that separate.
    pub grid: Color,
    /// RST, and what else went wrong.
    pub rst: Color,
    /// A sysctl's limit.
    pub limit: Color,
    /// What is pointed out: a first divergence, a full table.
    pub accent: Color,
}

/// What a figure counts or draws as a span of time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// A socket in that state.
    Socket(TcpState),
    /// A timewait bucket whose substate is FIN_WAIT2.
    BucketFinWait2,
    /// A timewait bucket whose substate is TIME_WAIT.
    BucketTimeWait,
    /// A socket that no program holds any more.
    Orphan,
}

impl Theme {
    /// Dark ink on white.
    pub const LIGHT: Self = Self {
        dark: false,
        paper: Color::hex(0xffffff),
        panel: Color::hex(0xf6f8fa),
        ink: Color::hex(0x1f2328),
        faint: Color::hex(0x59636e),
        grid: Color::hex(0xdfe3e8),
        rst: Color::hex(0xc8102e),
        limit: Color::hex(0x1f2328),
        accent: Color::hex(0xb35900),
    };
    /// Light ink on nearly black.
    pub const DARK: Self = Self {
        dark: true,
        paper: Color::hex(0x0f141a),
        panel: Color::hex(0x182029),
        ink: Color::hex(0xe8edf2),
        faint: Color::hex(0x9aa7b4),
        grid: Color::hex(0x2b3642),
        rst: Color::hex(0xff5c6c),
        limit: Color::hex(0xe8edf2),
        accent: Color::hex(0xffa657),
    };
    /// One of the two.
    pub const fn new(dark: bool) -> Self {
        if dark { Self::DARK } else { Self::LIGHT }
    }
    /// The colour of a state, the same in every figure.
    pub const fn state(&self, state: TcpState) -> Color {
        self.kind(Kind::Socket(state))
    }
    /// The colour of what is counted, the same in every figure.
    pub const fn kind(&self, kind: Kind) -> Color {
        let (light, dark) = match kind {
            Kind::Socket(TcpState::Listen) => (0x8c959f, 0x8b98a5),
            Kind::Socket(TcpState::SynSent) => (0xddcc77, 0xe6d884),
            Kind::Socket(TcpState::SynRecv | TcpState::NewSynRecv) => (0xe69f00, 0xf0b429),
            Kind::Socket(TcpState::Established) => (0x009e73, 0x2bc79b),
            Kind::Socket(TcpState::FinWait1) => (0x0072b2, 0x4aa3df),
            Kind::Socket(TcpState::FinWait2) => (0x56b4e9, 0x9ad4f5),
            Kind::Socket(TcpState::Closing) => (0x117733, 0x5fb36a),
            Kind::Socket(TcpState::CloseWait) => (0xcc79a7, 0xe7a5c9),
            Kind::Socket(TcpState::LastAck) => (0x882255, 0xc4608f),
            Kind::Socket(TcpState::TimeWait) | Kind::BucketTimeWait => (0x5b3a9e, 0x9a7fe0),
            Kind::BucketFinWait2 => (0xb7a1e3, 0xd3c4f5),
            Kind::Socket(TcpState::Close) => (0xc9d1d9, 0x55616d),
            Kind::Orphan => (0x8c5a2b, 0xcf9b68),
        };
        Color::hex(if self.dark { dark } else { light })
    }
    /// Colours for curves that mean nothing fixed, such as the runs of a sweep.
    pub const fn series(&self, number: usize) -> Color {
        const LIGHT: [u32; 6] = [0x0072b2, 0xd55e00, 0x009e73, 0xaa4499, 0x7a6a00, 0x332288];
        const DARK: [u32; 6] = [0x56b4e9, 0xff9248, 0x2bc79b, 0xe79adf, 0xf0e442, 0xb0a6ff];
        let place = number % LIGHT.len();
        Color::hex(if self.dark { DARK[place] } else { LIGHT[place] })
    }
    /// A scale from little (0) to much (255) whose brightness changes evenly: viridis.
    pub const fn scale(&self, share: u8) -> Color {
        const STOPS: [u32; 9] = [
            0x440154, 0x472d7b, 0x3b528b, 0x2c728e, 0x21918c, 0x28ae80, 0x5ec962, 0xaddc30,
            0xfde725,
        ];
        let place = share as usize * 8;
        let stop = place / 255;
        if stop >= 8 {
            return Color::hex(STOPS[8]);
        }
        Color::hex(STOPS[stop]).mix(Color::hex(STOPS[stop + 1]), (place % 255) as u8)
    }
}

impl Kind {
    /// What a legend calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Socket(state) => state.ss_name(),
            Self::BucketFinWait2 => "FIN-WAIT-2 bucket",
            Self::BucketTimeWait => "TIME-WAIT bucket",
            Self::Orphan => "orphan",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Colours whose brightness and hue are both close cannot be told apart in print.
    #[test]
    fn states_do_not_share_a_colour() {
        for theme in [Theme::LIGHT, Theme::DARK] {
            let states = TcpState::ALL.into_iter().filter(|s| *s != TcpState::NewSynRecv);
            let kinds = states.map(Kind::Socket).chain([Kind::BucketFinWait2, Kind::Orphan]);
            let mut colors: Vec<String> = kinds.map(|k| theme.kind(k).to_string()).collect();
            colors.sort();
            let all = colors.len();
            colors.dedup();
            assert_eq!(colors.len(), all);
        }
    }

    #[test]
    fn the_scale_gets_brighter() {
        let lumas: Vec<u8> = (0..=255).map(|s| Theme::LIGHT.scale(s).luma()).collect();
        assert!(lumas.windows(2).all(|pair| pair[0] <= pair[1] + 1), "{lumas:?}");
        assert!(lumas[255] > lumas[0] + 150);
    }
}
