// CloudFormation's way to that comparison: a custom resource, which is called when it is made, changed or removed, and answers at the
// URL that it is given.
import { isProblem } from '#mail/problem.ts';
import { createS3Client } from '#pipeline/aws/clients.ts';
import { configObject } from '#pipeline/aws/config-object.ts';
import { parseEnvironment } from '#pipeline/aws/environment.ts';
import { compareConfig } from './compare-config.ts';

/** What CloudFormation sends; `Options` is the JSON of what the deploy was made with. */
export type ComparisonRequest = {
  readonly RequestType: 'Create' | 'Update' | 'Delete';
  readonly ResponseURL: string;
  readonly StackId: string;
  readonly RequestId: string;
  readonly LogicalResourceId: string;
  readonly ResourceProperties: { readonly Options: string };
};

const environment = parseEnvironment(process.env, { queues: [] });
const { where, fetch: fetchConfig } = configObject({ s3: createS3Client(environment), bucket: environment.bucket });

async function read(): Promise<string> {
  const found = await fetchConfig(null);
  if (!found.changed) throw new Error(`${where} was not given`);
  if (isProblem(found.text)) throw new Error(found.text.problem);
  return found.text;
}

/** Answers that all is well, whatever is found. Rejects where its answer is not taken: Lambda then calls it again. */
export async function handler(request: ComparisonRequest): Promise<void> {
  const { RequestType, ResponseURL, StackId, RequestId, LogicalResourceId, ResourceProperties } = request;
  const isThere = RequestType !== 'Delete';
  const found = isThere ? await compareConfig({ read, where, options: ResourceProperties.Options }) : '';
  if (isThere) process.stdout.write(`${JSON.stringify({ event: 'config-compared', where, found })}\n`);
  const answer = await fetch(ResponseURL, {
    method: 'PUT',
    // Signed without a type: fetch would name one of a text.
    headers: { 'content-type': '' },
    body: JSON.stringify({
      Status: 'SUCCESS',
      PhysicalResourceId: 'config-comparison',
      StackId,
      RequestId,
      LogicalResourceId,
      Data: { Found: `${new Date().toISOString()}: ${found}`.slice(0, 1_024) },
    }),
    signal: AbortSignal.timeout(20_000),
  });
  if (!answer.ok) throw new Error(`CloudFormation did not take the answer: ${answer.status}`);
}
