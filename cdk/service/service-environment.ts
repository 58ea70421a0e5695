// The environment variables of a part of the service: where its things are, nothing more than it may touch.
import type { Stack } from 'aws-cdk-lib';
import { bucketName, eventBus, queueUrl, secretsPrefix } from '#cdk/names.ts';
import type { Options } from '#cdk/options.ts';
import { type Access, queueUrlVariable } from '#pipeline/contract/stages.ts';

/** What `pipeline/aws/environment.ts` reads, for one part. */
export function serviceEnvironment(stack: Stack, access: Access, options: Options): Record<string, string> {
  const urls = access.sends.map((queue) => [queueUrlVariable(queue), queueUrl(stack, options, queue)]);
  return {
    PILLARBOX_BUCKET: bucketName(options),
    PILLARBOX_SECRETS_PREFIX: secretsPrefix(options),
    PILLARBOX_METRICS_NAMESPACE: options.serviceName,
    ...(access.announces && options.events ? { PILLARBOX_EVENT_BUS: eventBus } : {}),
    ...Object.fromEntries(urls),
  };
}
