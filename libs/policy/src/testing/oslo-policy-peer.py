"""Decides cases with Debian's oslo.policy, as Nova sets it up: JSON in, JSON out.

A case: rules (the file's), defaults, enforce_new_defaults, target, credentials. Its rule `asked` is asked. The answer is
true, false, or the name of the exception that Python raised.
"""

import json
import logging
import sys
import warnings

from oslo_config import cfg
from oslo_policy import opts, policy

logging.disable(logging.CRITICAL)
warnings.simplefilter('ignore')


class IsAdmin(policy.Check):
    """As nova:nova/policy.py has it."""

    def __init__(self, kind, match):
        super().__init__(kind, match)
        self.expected = match.lower() == 'true'

    def __call__(self, target, creds, enforcer):
        return creds['is_admin'] == self.expected


def decide(conf, case):
    conf.set_override('enforce_new_defaults', case['enforceNewDefaults'], group='oslo_policy')
    enforcer = policy.Enforcer(conf, policy_file='none', use_conf=True)
    for name, default in case['defaults'].items():
        old = default.get('deprecated')
        enforcer.register_default(
            policy.RuleDefault(
                name,
                default['check'],
                scope_types=default['scopes'],
                deprecated_rule=old
                and policy.DeprecatedRule(old['name'], old['check'], deprecated_reason='x', deprecated_since='x'),
            )
        )
    # What _load_policy_file does with a file's text.
    text = json.dumps(case['rules'])
    enforcer.set_rules(policy.Rules.load(text, 'default'), overwrite=True, use_conf=True)
    enforcer._record_file_rules(text, overwrite=True)
    enforcer.load_rules()
    return bool(enforcer.authorize('asked', case['target'], case['credentials']))


def main():
    policy.register('is_admin', IsAdmin)
    conf = cfg.ConfigOpts()
    conf([], project='nova', default_config_files=[], default_config_dirs=[])
    opts._register(conf)
    conf.set_override('enforce_scope', True, group='oslo_policy')
    # A Nova of this machine may have some.
    conf.set_override('policy_dirs', [], group='oslo_policy')
    answers = []
    for case in json.load(sys.stdin):
        try:
            answers.append(decide(conf, case))
        except Exception as error:
            answers.append(type(error).__name__)
    json.dump(answers, sys.stdout)


main()
