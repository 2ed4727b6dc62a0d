//! Notices → mails: text and HTML, one thread per order.
