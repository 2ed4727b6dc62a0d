//! Topic and bytes → a domain message, or a refusal that says why.
