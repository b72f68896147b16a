"""Tables, plots and pages, made from the stored rows alone: `suite.report.build.build(run)`."""
