"""What a command makes of dreams: one, many, a film, a zoom, a sheet."""
