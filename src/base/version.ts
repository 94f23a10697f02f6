/** The version of Portway: that of package.json, which a test holds it to. Stands here so that printing it reads no file. */
export const version = "0.1.0";
