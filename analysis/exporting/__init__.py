"""`simcore export`: a results file as a table or a tree of arrays that other programs read.

==================== ============================================================================================
`selection`          which variables, axes and replicates, and the pieces in which they are read
`small_cells`        counts from 1 to 9, which are not given unless asked for
`description`        where the numbers come from and what the columns are; goes into every file
`tables`             counts, parameter sets and summaries as Arrow record batches, a piece at a time
`table_files`        record batches -> Parquet or CSV
`arviz`              parameters and counts as groups of a netCDF4 file, in the layout of ArviZ
`new_files`          temporary names, which become the final ones when all is on the disk
`export`             the function that puts these together
`command_line`       the verb
==================== ============================================================================================

Memory does not grow with the number of replicates in any of them.
"""
