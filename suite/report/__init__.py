"""Tables, plots and pages, made from the stored rows alone: `suite.publish.build.build(run)`."""
