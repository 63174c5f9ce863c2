export { ImageDirectory } from './image-directory.js';
export type { Image, ImageService, LocalImage } from './image-service.js';
export { parseQcow2Header, QCOW2_HEADER_BYTES, type Qcow2Header, readQcow2Header } from './qcow2.js';
