"""A whole warehouse: thousands of visits in weeks, on one machine or a cluster, unattended."""
