/** What a Unix socket's path may measure on Linux and macOS, in bytes, the smaller of the two. */
export const maxSocketPathBytes = 103;
