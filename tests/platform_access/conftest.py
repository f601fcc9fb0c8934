from tests.publishing.conftest import real_time as real_time
from tests.publishing.conftest import toy as toy
from tests.publishing.conftest import toy_publication as toy_publication
from tests.publishing.conftest import vk as vk
