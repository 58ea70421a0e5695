// The log group of what handles messages. Its lines have the message's id, and an index of that field, so that whoever follows one
// message through millions of lines waits a second and pays for its lines alone.
import { FieldIndexPolicy, LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { Options } from '#cdk/options.ts';
import { idField } from '#pipeline/contract/message-query.ts';

export function logsOfMessages(scope: Construct, { logDays }: Pick<Options, 'logDays'>): LogGroup {
  const fieldIndexPolicies = [new FieldIndexPolicy({ fields: [idField] })];
  return new LogGroup(scope, 'Logs', { retention: logDays, fieldIndexPolicies });
}
