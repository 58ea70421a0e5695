// The deployment: `npm run synth` checks it, `npx cdk deploy --all` makes it. Options: cdk/options.ts.
import { App, Tags, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { DataStack } from './data-stack.ts';
import { optionNames, parseOptions } from './options.ts';
import { ServiceStack } from './service-stack.ts';

const app = new App({ analyticsReporting: false });
const options = parseOptions(Object.fromEntries(optionNames.map((name) => [name, app.node.tryGetContext(name)])));
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
Tags.of(app).add('service', options.serviceName);

const data = new DataStack(app, `${options.serviceName}-data`, {
  options,
  description: 'Pillarbox: what must be kept',
});
new ServiceStack(app, `${options.serviceName}-service`, { options, data, description: 'Pillarbox: what runs' });
