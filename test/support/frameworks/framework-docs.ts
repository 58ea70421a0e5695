// docs/frameworks.md: the table of ops/programs/framework-settings.ts, for the usual port.
import { type Framework, frameworks } from '#ops/programs/framework-settings.ts';

/** The whole page. */
export function frameworkDocs(): string {
  return `# Settings for your app

What an app is told so that its mail comes to a capture server on this machine. \`npx pillarbox settings rails\` prints the same for the
server that runs in this folder, with the port that it really has; \`npx pillarbox --settings rails\` shows it as the server starts. For a
server elsewhere, in a container or on another machine: \`npx pillarbox settings rails --server mail:1025\`.

No TLS, no login: with a user and a password of any kind it works as well. Single programs and libraries: [clients.md](clients.md).
Made of the table that the command prints, by \`npm run docs:clients\`; a test sends by Action Mailer, Symfony Mailer, WordPress's PHPMailer and
nodemailer as they are set here.

${frameworks.map(section).join('\n\n')}
`;
}

function section({ name, title, versions, file, language, settings, needs }: Framework): string {
  const place = /^where /.test(file) ? `${file[0]?.toUpperCase()}${file.slice(1)}` : `\`${file}\``;
  const code = settings({ host: '127.0.0.1', port: 2525 });
  const more = needs === null ? '' : `\n\nAlso needed: ${needs}`;
  return `## ${title}\n\n${place}; ${versions} (\`pillarbox settings ${name}\`):\n\n\`\`\`${language}\n${code}\n\`\`\`${more}`;
}
