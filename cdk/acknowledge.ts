// Findings of cdk-nag that are intended: each is acknowledged where it arises, with the reason.
import { Stack, Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/** Acknowledges findings of the AwsSolutions rules on a construct and all below it: rule id → the reason. */
export function acknowledge(construct: IConstruct, reasons: Readonly<Record<string, string>>): void {
  for (const [id, reason] of Object.entries(reasons)) {
    Validations.of(construct).acknowledge({ id: `AwsSolutions-${id}`, reason });
  }
}

/** Acknowledges the wildcards of a policy's resources, each by itself (rule IAM5 wants them so). */
export function acknowledgeWildcards(construct: IConstruct, resources: readonly string[], why: string): void {
  for (const resource of resources) {
    const shown = flat(Stack.of(construct).resolve(resource));
    if (shown.includes('*')) acknowledge(construct, { [`IAM5[Resource::${shown}]`]: `The wildcard: ${why}.` });
  }
}

/** A policy AWS keeps, attached where the library or AWS itself wants just that one (rule IAM4). */
export function acknowledgeManagedPolicy(construct: IConstruct, policy: string, why: string): void {
  acknowledge(construct, { [`IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/${policy}]`]: why });
}

/** An ARN with its references as cdk-nag writes them: `<AWS::Region>`. */
function flat(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return '';
  if ('Ref' in value) return `<${String(value.Ref)}>`;
  if ('Fn::GetAtt' in value && Array.isArray(value['Fn::GetAtt'])) return `<${value['Fn::GetAtt'].join('.')}>`;
  if (!('Fn::Join' in value) || !Array.isArray(value['Fn::Join'])) return '';
  const parts: unknown = value['Fn::Join'][1];
  return Array.isArray(parts) ? parts.map(flat).join('') : '';
}
