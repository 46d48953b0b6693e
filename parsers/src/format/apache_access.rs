//! `apache_access`: the formats `common`, `combined` and `vhost_combined` of the Apache HTTP server.
//!
//! ```text
//! 203.0.113.9 - alice [14/Nov/2023:15:13:20 -0700] "GET /a?b=1 HTTP/1.1" 200 612
//! 203.0.113.9 - - [14/Nov/2023:15:13:20 -0700] "GET / HTTP/1.1" 200 612 "-" "curl/8.5.0"
//! www.example.com:443 203.0.113.9 - - [14/Nov/2023:15:13:20 -0700] "GET / HTTP/1.1" 200 612 "-" "curl/8.5.0"
//! ```
//!
//! httpd.apache.org, module mod_log_config: `%h %l %u %t "%r" %>s %b`, then `"%{Referer}i" "%{User-Agent}i"`, and
//! before all of it `%v:%p`. A quote, a backslash and control characters are escaped as in C.

pub(super) use super::access_log::parse;
