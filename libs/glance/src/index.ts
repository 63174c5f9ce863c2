export { createGlanceClient, type GlanceAuth, type GlanceClient, type GlanceOptions } from './client.js';
