export type { Image, ImageService } from './image-service.js';
