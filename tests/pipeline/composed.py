"""A configuration and the arm that it describes, as a stage's main has them."""

from hydra import compose, initialize_config_dir

from glioma_os.__main__ import config_folder
from glioma_os.stages.assemble import arm_of, check_options, workspace_of


class Composed:
    """`words` of a command line."""

    def __init__(self, *words):
        with initialize_config_dir(str(config_folder()), version_base="1.3"):
            self.cfg = compose("config", overrides=list(words))
        check_options(self.cfg)
        self.workspace = workspace_of(self.cfg)
        self.arm = arm_of(self.cfg)

    def check(self):
        self.arm.check(self.workspace)

    @property
    def cohort(self):
        return self.workspace.cohort(self.arm.cohort)

    @property
    def subjects(self):
        return self.arm.subjects(self.workspace)

    @property
    def table(self):
        own = self.arm
        return own.features.checked(self.workspace, [self.cohort], own.eligibility, own.validation.leak_policy)
