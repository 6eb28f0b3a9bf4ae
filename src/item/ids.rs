//! One type for each kind of row that others point at, so that none is taken for another.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type, serde::Serialize, serde::Deserialize)]
        #[sqlx(transparent)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

ids! {
    /// A person who has signed in here.
    UserId,
    /// One way in: a person at a provider.
    IdentityId,
    /// What people share: connections and their items.
    WorkspaceId,
    /// One browser's stay.
    SignInId,
    /// One provider account, approved.
    ConnectionId,
    /// One import of one connection.
    RunId,
    /// One key that a program asks with.
    KeyId,
}
