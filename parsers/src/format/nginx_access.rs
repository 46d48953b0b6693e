//! `nginx_access`: the predefined `combined` format of nginx, and the `main` format that its packages configure.
//!
//! ```text
//! 203.0.113.9 - alice [14/Nov/2023:15:13:20 -0700] "GET /a?b=1 HTTP/1.1" 200 612 "-" "curl/8.5.0"
//! 203.0.113.9 - - [14/Nov/2023:15:13:20 -0700] "GET / HTTP/1.1" 304 0 "-" "curl/8.5.0" "198.51.100.7"
//! ```
//!
//! nginx.org, module ngx_http_log_module: `$remote_addr - $remote_user [$time_local] "$request" $status
//! $body_bytes_sent "$http_referer" "$http_user_agent"`, and in `main` also `"$http_x_forwarded_for"`. Bytes that
//! could end a field or a line are written as `\xHH`.

pub(super) use super::access_log::parse;
