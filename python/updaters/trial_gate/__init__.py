"""The three-day trial of batch processing as a program: `hearing-updater trial-gate`.

Everything works on copies of the database. `steps` lists what there is to run, in the plan's order;
`trial` is the folder that a trial lives in; `criteria` judges what was measured.
"""
