"""Public names as the API pages show them: `keras_dc.prune`, not the module it lies in.

The packages load their public names lazily, so that reading the sources finds none of them;
this extension reads the table `_MODULES` instead.
"""

import ast

import griffe


class PublicNames(griffe.Extension):
    """Gives each package with a table `_MODULES` an alias for every name in it.

    And shows a default that is a constant of the module as the constant's value.
    """

    def on_package(self, *, pkg, **_):
        """Add the aliases to the package and to its packages."""
        packages = [pkg]
        while packages:
            package = packages.pop()
            packages += [module for module in package.modules.values() if module.is_init_module]
            for name, module in public_names(package).items():
                if name not in package.members:
                    target = f"{package.path}.{module}.{name}"
                    package.set_member(name, griffe.Alias(name, target, parent=package))

    def on_function(self, *, func, **_):
        """Put values in the place of constants; those of other modules stay."""
        for parameter in func.parameters:
            constant = func.parent.members.get(str(parameter.default))
            if isinstance(constant, griffe.Attribute):
                parameter.default = constant.value


def public_names(package):
    """The table `_MODULES` of a package.

    Args:
        package: griffe.Module.

    Returns:
        dict from names to modules below the package; a module that is its own name is left
        out. Empty where there is no table.
    """
    if "_MODULES" not in package.members:
        return {}
    table = ast.literal_eval(str(package.members["_MODULES"].value))
    return {name: module for name, module in table.items() if name != module}
