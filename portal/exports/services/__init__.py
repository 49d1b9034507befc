"""Taking lists away: asked for, written by a worker, opened by a link, and made again by the clock."""
