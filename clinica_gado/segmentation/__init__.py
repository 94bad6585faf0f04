"""Grey matter, white matter and CSF of a T1w image: by SPM where it is, else built in."""
