"""Networks as plain modules, the registry, bundles with weights, importers of published ones."""
