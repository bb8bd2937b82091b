/** What is printed from the table of settings: docs/configuration.md and .env.example. */
import { TABLE } from './config.ts';

/** docs/configuration.md. */
export function formatConfigurationMarkdown(): string {
  const rows = TABLE.map(([, setting]) => {
    const fallback = setting.fallback === undefined ? (setting.fallbackAbout ?? '') : `\`${setting.fallback}\``;
    return `| \`${setting.env}\` | ${fallback} | ${setting.allowed} | ${setting.about} |`;
  });
  return [
    '# Configuration',
    '',
    '<!-- Printed from src/config.ts by `npm run docs`; change it there. -->',
    '',
    'Settings are environment variables, read once at start; a file `.env` in the working folder may hold them, and the',
    'environment wins. A wrong value stops the start with exit code 2, and every wrong value is named.',
    '',
    '| Variable | Default | Allowed | Meaning |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

/** .env.example: each setting with its default, commented out. */
export function formatEnvExample(): string {
  const blocks = TABLE.map(([, setting]) => {
    const fallback = setting.fallbackAbout === undefined ? '' : ` Default: ${setting.fallbackAbout}.`;
    const allowed = setting.allowed.replaceAll('`', '');
    const about = `${setting.about}${fallback}`.replaceAll('`', '');
    return `# ${about}\n# Allowed: ${allowed}\n# ${setting.env}=${setting.fallback ?? ''}\n`;
  });
  return `# Copy to .env and change what you need. Printed from src/config.ts by npm run docs.\n\n${blocks.join('\n')}`;
}
