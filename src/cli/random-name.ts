import { randomInt } from "node:crypto";

const adjectives =
  "able agile amber azure bold brave brisk calm clear clever cosmic crisp daring deft eager early earnest exact fair fleet fond free fresh gentle glad golden grand happy hardy honest humble jolly keen kind lively loyal lucid lucky mellow merry mild modest neat nimble noble patient placid plucky polite proud quick quiet rapid ready robust serene sharp shiny silent smart snug solid spry stable steady sturdy subtle sunny swift tidy trusty upbeat valid vivid warm wise witty zesty".split(
    " ",
  );
const animals =
  "badger beaver bison bobcat buzzard caribou cheetah condor cormorant coyote crane cricket curlew dingo dolphin dormouse dragonfly eagle egret falcon ferret finch firefly gazelle gecko gibbon goshawk grouse gull hamster hare hawk heron hornet ibex ibis iguana jackal jaguar kestrel kingfisher lapwing lemur leopard linnet lizard llama lynx magpie marmot marten merlin moose mule newt ocelot oriole osprey otter owl panda panther parrot pelican penguin petrel pigeon pika plover polecat puffin puma quail raven robin salmon seal shrew skylark sparrow squirrel starling stoat stork swallow swan swift tapir teal tern thrush toucan trout turtle viper vole walrus warbler weasel wombat wren yak zebra".split(
    " ",
  );

/** A name for something that was not given one: `brave-otter`. Not unique. */
export function randomName(): string {
  return `${adjectives[randomInt(adjectives.length)]}-${animals[randomInt(animals.length)]}`;
}
