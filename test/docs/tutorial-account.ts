// The AWS account of somebody who works through the tutorial: what a deploy leaves there is in the emulator, and what the page says of a
// deploy is compared with what was synthesized.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configKey, deployedOptionsKey } from '#pipeline/contract/keys.ts';
import { emulateDeployment } from '#test/support/aws/emulated-deployment.ts';
import { operatorsAws } from '#test/support/aws/operators-aws.ts';
import { findPeer } from '#test/support/peers/peers.ts';
import { deploy, deployed, helpIn } from './docs-deployment.ts';

export type TutorialAccount = Awaited<ReturnType<typeof openAccount>>;

/** The first configuration of the page, in force; the DNS is asked by the name servers of the machine. */
const config = { ...deployed.config, hostname: 'mx.example.org', dns: {} };
const options = { ...deployed.options, hostname: config.hostname };

/** `bin`: a folder for the PATH, in which `npx pillarbox … --stack` asks the emulator; `region`: what AWS_REGION has to be. */
export async function openAccount(bin: string) {
  const stack = await emulateDeployment('pillarbox', config);
  const aws = await operatorsAws(stack.endpoint);
  const put = (key: string, value: object) =>
    stack.store.put({ key, body: Buffer.from(JSON.stringify(value)), contentType: 'application/json' });
  mkdirSync(bin);
  const npx = findPeer('npx') ?? assert.fail('npx is not there');
  const asks = `case " $* " in *" --stack "*) set -- "$@" --endpoint ${aws.endpoint};; esac`;
  writeFileSync(join(bin, 'npx'), `#!/bin/sh\n${asks}\nexec ${npx} "$@"\n`);
  chmodSync(join(bin, 'npx'), 0o755);
  return {
    region: stack.region,
    /** What needs the account or the internet, as far as the page goes on with it. `place`: the folder of the app. */
    doThere: async (commands: string, { sees, place }: { readonly sees: string; readonly place: string }) => {
      if (commands.includes('npx cdk deploy')) {
        for (const [, name, output] of sees.matchAll(/^(\S+)\.(\w+) = /gm)) {
          assert.ok(outputsOf(place).includes(`${name}.${output}`), `no stack ${name} has an output ${output}`);
        }
        await deploy(stack, aws, '');
        await put(configKey, config);
        await put(deployedOptionsKey, options);
      }
      for (const [, stackName] of commands.matchAll(/npx cdk destroy (\S+)/g)) {
        assert.ok(stackPathsOf(place).includes(stackName), `${stackName} is no stack`);
      }
      if (commands.startsWith('swaks ') || commands.includes('\nswaks ')) await helpIn(stack);
    },
    close: async (): Promise<void> => {
      aws.close();
      await stack.close();
    },
  };
}

type Stacks = readonly { readonly name: string; readonly path: string; readonly outputs: readonly string[] }[];

function stacksOf(place: string): Stacks {
  const out = join(place, 'cdk.out');
  const { artifacts } = JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8'));
  return Object.entries<any>(artifacts)
    .filter(([, { type }]) => type === 'aws:cloudformation:stack')
    .map(([id, { properties, displayName = id }]) => {
      const template = JSON.parse(readFileSync(join(out, properties.templateFile), 'utf8'));
      const path = displayName.replace(/ \(.*$/, '');
      return { name: properties.stackName ?? id, path, outputs: Object.keys(template.Outputs ?? {}) };
    });
}

function outputsOf(place: string): readonly string[] {
  return stacksOf(place).flatMap(({ name, outputs }) => outputs.map((output) => `${name}.${output}`));
}

function stackPathsOf(place: string): readonly (string | undefined)[] {
  return stacksOf(place).map(({ path }) => path);
}
