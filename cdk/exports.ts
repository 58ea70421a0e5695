// What an app of yours imports from `pillarbox/cdk`.
export { MailRule, type MailRuleProps, type MailTarget } from './mail-rule.ts';
export { Pillarbox, type PillarboxProps } from './pillarbox.ts';
