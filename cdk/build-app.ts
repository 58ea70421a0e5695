// Both stacks of a deployment, from checked options, with every check that needs no account switched on.
import { type App, Tags, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { DataStack } from '#cdk/data/data-stack.ts';
import { ServiceStack } from '#cdk/service/service-stack.ts';
import { optionNames, parseOptions } from './options.ts';

export type Deployment = { readonly app: App; readonly data: DataStack; readonly service: ServiceStack };

/** Builds the app; options come from its context. Throws where one is wrong or two contradict each other. */
export function buildApp(app: App): Deployment {
  const options = parseOptions(Object.fromEntries(optionNames.map((name) => [name, app.node.tryGetContext(name)])));
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  Tags.of(app).add('service', options.serviceName);
  const described = (what: string) => ({ options, description: `Pillarbox ${options.serviceName}: ${what}` });
  const data = new DataStack(app, `${options.serviceName}-data`, described('what must be kept'));
  const service = new ServiceStack(app, `${options.serviceName}-service`, { ...described('what runs'), data });
  service.addStackDependency(data);
  return { app, data, service };
}
