"""Worker processes: started, watched, restarted, and how they are told to be well."""
