// Both stacks of a deployment, from options in the app's context, with every check that needs no account switched on.
import { type App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import type { DataStack } from '#cdk/data/data-stack.ts';
import type { ServiceStack } from '#cdk/service/service-stack.ts';
import { contextOptions, type Placeholders } from './context-options.ts';
import { Pillarbox } from './pillarbox.ts';

export type Deployment = { readonly app: App; readonly data: DataStack; readonly service: ServiceStack };

/** Builds the app; options come from its context. Throws if one is wrong, unknown or a placeholder, or if two contradict each other. */
export function buildApp(app: App, placeholders: Placeholders = 'refused'): Deployment {
  const options = contextOptions(app.node.getAllContext(), placeholders);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  // The stacks stand at the top of the app: `cdk deploy NAME-service` finds them. `.build` is what cdk.json's `build` makes.
  const { data, service } = new Pillarbox(app, 'Pillarbox', { ...options, stacksIn: app, bundles: '.build' });
  return { app, data, service };
}
